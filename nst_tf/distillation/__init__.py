"""Training of the embedded network: a slim student learns the teacher's features that style transfer compares.

From the teacher's pruned filters (`pruning`), on crops (`crops`) and pictures under stylisation (`half_stylised`), by
errors of features, Gram matrices and pixel gradients (`matching`); `student` folds the result into a file.
"""
