"""Spoken scenarios: callers with synthetic voices on telephone lines talk to a daemon whose model hears and speaks.

What is told of each call is whether it went as its caller wanted and, if not, who is to blame: the recogniser, the
rules that stand in for the model, or Tieline.
"""
