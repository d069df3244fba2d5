"""Plays calls of TorchServe's services by stubs that grpc_tools.protoc made: python rpc_player.py STUBS INFERENCE MANAGEMENT.

A line in, a line out, both JSON: {service, method, message, data?, metadata} -> {code, text, details, trailers}; data and a
prediction's text are base64.
"""

import base64
import json
import sys

folder, inference_port, management_port = sys.argv[1:4]
sys.path.insert(0, folder)

import grpc
import inference_pb2
import inference_pb2_grpc
import management_pb2
import management_pb2_grpc
from google.protobuf import empty_pb2

options = [("grpc.max_receive_message_length", -1)]
channels = [grpc.insecure_channel(f"127.0.0.1:{port}", options) for port in (inference_port, management_port)]
inference = inference_pb2_grpc.InferenceAPIsServiceStub(channels[0])
management = management_pb2_grpc.ManagementAPIsServiceStub(channels[1])


def play(asked):
    method, message = asked["method"], asked["message"]
    if method == "Ping":
        return inference.Ping, empty_pb2.Empty(), lambda answer: answer.health.encode()
    if asked["service"] == "inference":
        data = base64.b64decode(asked["data"])
        request = inference_pb2.PredictionsRequest(**message, input={"data": data})
        return getattr(inference, method), request, lambda answer: answer.prediction
    request = getattr(management_pb2, f"{method}Request")(**message)
    return getattr(management, method), request, lambda answer: answer.msg.encode()


for line in sys.stdin:
    asked = json.loads(line)
    call, request, bytes_of = play(asked)
    seen = {"code": 0, "text": "", "details": "", "trailers": {}}
    try:
        answer = call(request, metadata=list(asked["metadata"].items()), timeout=60)
        seen["text"] = base64.b64encode(bytes_of(answer)).decode()
    except grpc.RpcError as error:
        trailers = {key: value for key, value in error.trailing_metadata() or () if isinstance(value, str)}
        seen = {"code": error.code().value[0], "text": "", "details": error.details(), "trailers": trailers}
    print(json.dumps(seen), flush=True)
