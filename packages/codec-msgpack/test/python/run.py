"""What the tests ask of Python: one command, bytes in, bytes out."""
import sys
import msgpack

command, *rest = sys.argv[1:]
data = sys.stdin.buffer.read()
write = sys.stdout.buffer.write


def extension(code, content):
    """How the Map and Set of @halyard/codec-msgpack are read in Python: as in the README."""
    if code == 77:
        return dict(msgpack.unpackb(content, ext_hook=extension, strict_map_key=False, timestamp=3))
    if code == 83:
        return set(msgpack.unpackb(content, ext_hook=extension, strict_map_key=False, timestamp=3))
    return msgpack.ExtType(code, content)


if command == "unpack":
    # The value as Python writes it in its own notation.
    print(repr(msgpack.unpackb(data, raw=False, ext_hook=extension, strict_map_key=False, timestamp=3)))
elif command == "pack":
    import datetime  # for the expressions of the tests

    write(msgpack.packb(eval(data.decode()), datetime=True, use_bin_type=True))
elif command == "repack":
    write(msgpack.packb(msgpack.unpackb(data, raw=False, timestamp=0), use_bin_type=True))
elif command in ("serialize", "deserialize"):
    from message_serializer import CompressionType, MessageSerializer, SerializationFormat

    serializer = MessageSerializer()
    if command == "serialize":
        write(serializer.serialize(eval(data.decode()), SerializationFormat(rest[0]), CompressionType(rest[1])))
    else:
        print(repr(serializer.deserialize(data)))
else:
    sys.exit(f"unknown command {command}")
