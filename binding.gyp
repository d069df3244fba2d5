# For those who call node-gyp: it only calls CMake (scripts/build-native), which knows libtorch. "gypfile": false in
# package.json keeps npm from running this by itself. With no Node headers at hand and nothing to download:
#   npx node-gyp rebuild --nodedir=node_modules/node-addon-api
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
          "outputs": ["<(module_root_dir)/build/Release/sconce.node"],
          "action": ["bash", "scripts/build-native", "--force"]
        }
      ]
    }
  ]
}
