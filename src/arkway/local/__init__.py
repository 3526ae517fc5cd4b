"""Where does a model run when no account is configured? Here: llama.cpp servers as accounts."""
