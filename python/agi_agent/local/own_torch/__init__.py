"""Models of Hugging Face's transformers, in the person's own torch.

Imported by the child only (`agi_agent.local.hub`). Templates, families of tool calls
and the reading of answers are those of the other local models; the kernel is torch.
"""
