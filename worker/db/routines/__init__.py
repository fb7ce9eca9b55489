"""The SQL of the application: a class for each subject, a typed method for each routine or view that is asked.

Nothing outside worker/db knows the name of a routine or of a column; a test sees to it. A subject that is new is a
class here, derived from Routines; the API hands it to every handler that has a parameter of that type.
"""
