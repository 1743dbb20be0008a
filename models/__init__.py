"""What a segmentation model is: summary, features, scorer, profiles, playbooks, artifact, registry."""
