"""Items of a photo: where they are (`finding.py`), and one of them cut out as a photo of its own (`cutting.py`).

No detector: what is far from the photo's edge, in colours passed on the way, stands out from its background. Loads
neither PyTorch nor OpenVINO. Begin at `finding.py`.
"""
