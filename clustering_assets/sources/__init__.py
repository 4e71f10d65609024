"""Pictures from elsewhere: Kaggle and Open Images."""
