"""What captions are worth: BLEU, ROUGE-L, METEOR, CIDEr, how varied they are, how valid references are; no Java."""
