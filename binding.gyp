# For those who call node-gyp: it only calls CMake (scripts/build-native), which knows libtorch. "gypfile": false in
# package.json keeps npm from running this by itself.
{
  "targets": [
    {
      "target_name": "sconce",
      "type": "none",
      "actions": [
        {
          "action_name": "cmake",
          "message": "scripts/build-native (CMake)",
          "inputs": ["CMakeLists.txt"],
          "outputs": ["build/Release/sconce.node"],
          "action": ["bash", "scripts/build-native", "--force"]
        }
      ]
    }
  ]
}
