"""Words in pictures, read by RapidOCR, whose weights come in its package (docs/adr/0061). The one home of rapidocr.

Loaded where the setting `picture_words` asks for it, and nowhere else: it is an extra, `vitrine[ocr]`.
"""
