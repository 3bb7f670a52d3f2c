"""From a photo to 28×28 pixels, and what a model says of them. Each module uses those before it: measures, regions,
search, normalisation, reader, recognition, explanation. Stands on core, data, inference and results."""
