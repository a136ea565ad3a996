"""Gives an avatar a tool, runs it when the avatar asks for it, and prints what the avatar makes of its result.

python examples/own_tool.py http://127.0.0.1:8000 dev_… "How much disk space is free?"
"""

import asyncio
import json
import shutil
import sys

from visavis.client import Call, CallError
from visavis.client.directory import list_avatars

TOOL = {
    "type": "function",
    "name": "get_free_disk_space",
    "description": "Get how much disk space is free on this computer",
    "parameters": {"type": "object", "properties": {}},
}


def get_free_disk_space() -> str:
    """What the avatar is told: any text, JSON by custom."""
    return json.dumps({"free": f"{shutil.disk_usage('.').free // 10**9} gigabytes"})


async def main(server: str, license: str, question: str) -> None:
    avatar = (await list_avatars(server, license))[0]
    async with Call(server, license=license, avatar_id=avatar.id) as call:
        await call.wait_ready()
        await call.configure(tools=[TOOL])
        await call.wait_media()
        asked, asking = False, ""
        async for event in call.events():
            match event.type:
                case "realtime.response.audio_transcript.done":
                    print(f"Avatar: {event.text}")
                case "realtime.response.function_call_arguments.done":
                    print(f"(asks for {event.data['name']} with {event.data['arguments']})")
                    await call.send_tool_result(event.data["call_id"], get_free_disk_space())
                    asking = event.message["raw_data"]["response_id"]
                case "realtime.response.audio.done" if asking:
                    # The response that asked for the tool ends, too; the one after it is the answer.
                    if event.data["id"] != asking:
                        break
                case "realtime.response.audio.done" if not asked:
                    # It has greeted; an avatar that does not is asked before the loop.
                    await call.send_text(question)
                    asked = True


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit("usage: own_tool.py SERVER LICENSE QUESTION")
    try:
        asyncio.run(main(*sys.argv[1:]))
    except CallError as error:
        sys.exit(f"The call failed: {error}")
