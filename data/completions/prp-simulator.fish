# SPDX-License-Identifier: MIT
#
# Completes prp-simulator in fish.

complete -c prp-simulator -f
complete -c prp-simulator -s h -l help -d 'Show the options'
complete -c prp-simulator -s p -l port -x -d 'Port to listen on, 0 for any'
complete -c prp-simulator -s l -l listen -x -a 'localhost 127.0.0.1 ::1' -d 'Loopback address to listen on'
complete -c prp-simulator -s t -l token -x -d 'Accept this token'
complete -c prp-simulator -l token-file -r -F -d 'Accept the token in this file'
complete -c prp-simulator -l any-token -d 'Accept any token'
complete -c prp-simulator -l refresh-token -x -d 'The first refresh token'
complete -c prp-simulator -l refresh-token-file -r -F -d 'Take the first refresh token from this file'
complete -c prp-simulator -l token-life -x -d 'Let tokens expire after so many seconds'
complete -c prp-simulator -s r -l rate -x -d 'Events per second'
complete -c prp-simulator -l seed -x -d 'Let the same things happen as with this seed before'
complete -c prp-simulator -l heartbeat -x -d 'Seconds between heartbeats, 0 for none'
complete -c prp-simulator -l max-channels -x -d 'Subscriptions of one connection'
complete -c prp-simulator -l max-actions-per-sec -x -d 'Actions per second of one connection, 0 for no limit'
complete -c prp-simulator -l tls-cert -r -F -d 'Use TLS with this certificate'
complete -c prp-simulator -l tls-key -r -F -d 'Key of the certificate'
complete -c prp-simulator -l port-file -r -F -d 'Write the port into this file once ready'
complete -c prp-simulator -s q -l quiet -d 'Print nothing but problems'
complete -c prp-simulator -s v -l verbose -d 'Print each message of clients'
complete -c prp-simulator -l version -d 'Print the version'
