"""Talks to a server by stubs that grpc_tools.protoc made: python grpc_client.py STUBS PORT SAMPLE. Prints what it saw."""

import json
import sys

folder, port, sample = sys.argv[1], sys.argv[2], sys.argv[3].encode()
sys.path.insert(0, folder)

import grpc
import inference_pb2
import inference_pb2_grpc
from google.protobuf import empty_pb2
from google.rpc import error_details_pb2

channel = grpc.insecure_channel(f"127.0.0.1:{port}")
stub = inference_pb2_grpc.InferenceAPIsServiceStub(channel)


def request(model, data=sample, **more):
    return inference_pb2.PredictionsRequest(model_name=model, input={"data": data}, **more)


def code(call, *args, **options):
    try:
        call(*args, **options)
        return "OK"
    except grpc.RpcError as error:
        return error.code().name


one = stub.Predictions(request("ledger"))
pieces = list(stub.StreamPredictions(request("ledger")))
asked = [request("ledger", sequence_id="a"), request("nobody", sequence_id="b"), request("ledger", sequence_id="c")]
answers = list(stub.StreamPredictions2(iter(asked)))
names = {status.value[0]: status.name for status in grpc.StatusCode}
info = error_details_pb2.ErrorInfo()
answers[1].status.details[0].Unpack(info)

print(
    json.dumps(
        {
            "health": json.loads(stub.Ping(empty_pb2.Empty()).health),
            "same": one.prediction == pieces[0].prediction == answers[0].prediction == answers[2].prediction,
            "pieces": len(pieces),
            "stream": [[each.sequence_id, names[each.status.code] if each.HasField("status") else "OK"] for each in answers],
            "reason": info.reason,
            "unknown": code(stub.Predictions, request("nobody")),
            "deadline": code(stub.Predictions, request("slow", b"[800]"), timeout=0.1),
        }
    )
)
