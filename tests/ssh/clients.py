"""paramiko and asyncssh do what they usually do."""
import asyncio, sys
import asyncssh, paramiko

port, key = int(sys.argv[1]), sys.argv[2]

client = paramiko.SSHClient()
client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
client.connect("127.0.0.1", port, "alice", key_filename=key, allow_agent=False, look_for_keys=False)
_, out, err = client.exec_command("both")
assert out.read() == b"outoutout" and err.read() == b"errerrerr" and out.channel.recv_exit_status() == 0
stdin, out, _ = client.exec_command("cat")
stdin.write(b"x" * 300000)
stdin.channel.shutdown_write()
assert out.read() == b"x" * 300000
client.close()


async def other():
    async with asyncssh.connect("127.0.0.1", port, username="alice", client_keys=[key], known_hosts=None) as connection:
        done = await connection.run("exit 42")
        assert done.exit_status == 42
        process = await connection.create_process("events")
        process.send_break(500)
        assert await process.stdout.readline() == "break 0\n"
        process.send_signal("INT")
        assert await process.stdout.readline() == "signal INT\n"
        process.stdin.write("q")
        await process.wait()


asyncio.run(other())
