"""What every Holdfast service needs and none should write twice.

Settings, logs, database engines, migrations, problems (RFC 9457), health, metrics, the HTTP
server and the supervision of a workflow runtime. It knows no workflow and no service.
"""
