"""How the embedded network is made: a slim student learns from a teacher what style transfer asks of features.

From the teacher's pruned filters (`pruning`), on crops (`crops`) and pictures under stylisation (`half_stylised`), by
errors of features, Gram matrices and pixel gradients (`matching`); `student` folds the result into a file.
"""

from nst_tf.distillation.building import Material, build, export, read_material
from nst_tf.distillation.settings import Distillation
from nst_tf.distillation.trainer import Trainer, terms

__all__ = ["Distillation", "Material", "Trainer", "build", "export", "read_material", "terms"]
