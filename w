Running 10s test @ http://127.0.0.1:9380/predictions/rn
  1 threads and 16 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency   216.03ms   24.40ms 347.93ms   78.86%
    Req/Sec    74.73     18.11   161.00     83.51%
  738 requests in 10.07s, 8.59MB read
Requests/sec:     73.25
Transfer/sec:      0.85MB
