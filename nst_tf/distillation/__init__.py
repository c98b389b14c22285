"""Training of the embedded network: a narrow student learns the teacher's features that style transfer compares.

The student starts from the teacher's pruned filters (`pruning`). It is trained on crops (`crops`) and on half-stylised
pictures (`half_stylised`). The loss compares features, Gram matrices and pixel gradients (`matching`). `student` folds
the result into a weights file.
"""
