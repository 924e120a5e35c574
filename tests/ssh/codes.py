"""A key and then a code, as honest clients give them and as no honest client does: codes.py PORT KEY CASE."""
import asyncio, socket, sys
import asyncssh, paramiko
from paramiko.message import Message

port, key_file, case = int(sys.argv[1]), sys.argv[2], sys.argv[3]
key = paramiko.Ed25519Key.from_private_key_file(key_file)
RIGHT, WRONG = "123456", "000000"
REQUEST, RESPONSE = 50, 61
asked = []


def transport():
    t = paramiko.Transport(socket.create_connection(("127.0.0.1", port)))
    t.start_client(timeout=60)
    t.auth_timeout = 60
    return t


def with_key():
    t = transport()
    assert t.auth_publickey("alice", key) == ["keyboard-interactive"]
    assert not t.is_authenticated()
    return t


def answers(*given):
    def answer(title, instruction, prompts):
        asked.append((title, instruction, prompts))
        return list(given)
    return answer


def pack(*fields):
    m = Message()
    m.add_byte(bytes([fields[0]]))
    for field in fields[1:]:
        m.add_int(field) if isinstance(field, int) else m.add_string(field)
    return m


def refused(call, *methods):
    """The server says no, and names what it would take."""
    try:
        call()
    except paramiko.BadAuthenticationType as why:
        assert why.allowed_types == list(methods), why.allowed_types
    except paramiko.AuthenticationException as why:
        assert type(why) is paramiko.AuthenticationException, why
    else:
        sys.exit("let in")


def ended(t, call):
    """The server ends the connection, and does not let in."""
    try:
        call()
    except (paramiko.SSHException, EOFError, OSError):
        pass
    else:
        sys.exit("not ended")
    t.join(60)
    assert not t.is_alive() and not t.is_authenticated()


def right(t, *given):
    assert t.auth_interactive("alice", answers(*(given or [RIGHT]))) == []
    assert t.is_authenticated()
    channel = t.open_session()
    channel.exec_command("exit 9")
    assert channel.recv_exit_status() == 9


def code_before_key():
    t = transport()
    refused(lambda: t.auth_interactive("alice", answers(RIGHT)), "publickey")
    assert not asked
    assert t.auth_publickey("alice", key) == ["keyboard-interactive"]
    right(t)


def answer_before_key():
    t = transport()
    refused(lambda: t.auth_none("alice"), "publickey")
    ended(t, lambda: (t._send_message(pack(RESPONSE, 1, RIGHT)), t.auth_publickey("alice", key),
                      t.auth_interactive("alice", answers(RIGHT))))


def answer_without_question():
    t = with_key()
    ended(t, lambda: (t._send_message(pack(RESPONSE, 1, RIGHT)), t.open_session(timeout=60)))


def key_alone():
    t = with_key()
    ended(t, lambda: t.open_session(timeout=60))


def other_methods():
    t = with_key()
    refused(lambda: t.auth_publickey("alice", key), "keyboard-interactive")
    refused(lambda: t.auth_password("alice", RIGHT, fallback=False), "keyboard-interactive")
    refused(lambda: t.auth_none("alice"), "keyboard-interactive")
    right(t)


def answer_counts():
    t = with_key()
    for given in ([], [RIGHT, RIGHT], [RIGHT] * 200, ["x" * 65]):
        refused(lambda: t.auth_interactive("alice", answers(*given)), "keyboard-interactive")
    right(t)


def too_many_answers():
    t = with_key()
    ended(t, lambda: t.auth_interactive("alice", answers(*[RIGHT] * 257)))


def second_answer():
    """Comes after a wrong one was judged; each more is a try."""
    t = with_key()
    refused(lambda: t.auth_interactive("alice", answers(WRONG)), "keyboard-interactive")
    for _ in range(5):
        t._send_message(pack(RESPONSE, 1, RIGHT))
    t.join(60)
    assert not t.is_alive() and not t.is_authenticated()


def two_at_once():
    t = with_key()

    def answer(*_):
        t._send_message(pack(RESPONSE, 1, WRONG))
        return [WRONG]
    refused(lambda: t.auth_interactive("alice", answer), "keyboard-interactive")
    assert not t.is_authenticated()


def asked_twice():
    """A second request ends the question of the first."""
    t = with_key()

    def answer(*_):
        t._send_message(pack(REQUEST, "alice", "ssh-connection", "keyboard-interactive", "", ""))
        return [RIGHT]
    refused(lambda: t.auth_interactive("alice", answer), "keyboard-interactive")
    assert not t.is_authenticated()


def user_change():
    t = with_key()
    ended(t, lambda: t.auth_interactive("bob", answers(RIGHT)))


def wrong_for_ever():
    t = with_key()
    ended(t, lambda: [refused(lambda: t.auth_interactive("alice", answers(WRONG)), "keyboard-interactive")
                      for _ in range(99)])


def clients():
    t = with_key()
    right(t)
    assert asked == [("", "what time is it", [("Code: ", True)])], asked

    class Person(asyncssh.SSHClient):
        def kbdint_auth_requested(self):
            return ""

        def kbdint_challenge_received(self, name, instructions, lang, prompts):
            assert (name, instructions, prompts) == ("", "what time is it", [("Code: ", True)])
            return [RIGHT]

    async def other():
        connection, _ = await asyncssh.create_connection(Person, "127.0.0.1", port, username="alice",
                                                         client_keys=[key_file], known_hosts=None)
        async with connection:
            assert (await connection.run("exit 42")).exit_status == 42

    asyncio.run(other())


{f.__name__: f for f in (code_before_key, answer_before_key, answer_without_question, key_alone, other_methods,
                         answer_counts, too_many_answers, second_answer, two_at_once, asked_twice, user_change,
                         wrong_for_ever, clients)}[case]()
