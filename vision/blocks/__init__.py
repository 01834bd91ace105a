"""Base features: a picture in four blocks of one network pass (`head.py`), and altered copies of it to learn from
(`views.py`). Which numbers of them tell a shop's products apart is learned elsewhere (`indexing/look/`).
"""
