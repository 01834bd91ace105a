"""What computes where there is a choice: the processor, or a graphics card that PyTorch reaches by CUDA.

`cards` says which cards a machine has, and loads nothing. `named` and `fitting` are for who has PyTorch loaded anyway:
which device a setting means, and rows in parts that its memory holds. Used by `vision` and by `indexing.training`.
"""

AUTO, CPU = "auto", "cpu"
"""Values of the setting `device`: what is faster, and the processor; others are PyTorch's names of devices."""
