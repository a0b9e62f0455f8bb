"""seekmath: the DeepSeekMath system as open software (arXiv 2402.03300)."""
