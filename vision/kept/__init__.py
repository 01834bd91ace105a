"""Networks as they run best here, on disk, so that what embeds need not load PyTorch to find that out again.

Measuring takes PyTorch, half a gigabyte and seconds of processor, and comes out
the same at every start. `make setup` does it once (`python -m vision.kept`);
where OpenVINO is the fastest, its graph is kept with the arrays of the head.
What is kept is of one processor, one OpenVINO and this very code of `vision`:
elsewhere it is not used, and PyTorch measures as ever. Begin at `folder`.
"""
