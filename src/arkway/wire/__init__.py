"""Codecs used at both edges, sans-io: SSE, HTTP heads, the JSON gate, OpenAI error bodies."""
