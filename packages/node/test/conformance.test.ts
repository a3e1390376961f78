import { describeAdapter, describeHttp2Adapter } from '@oncekey/conformance'
import { serveWithConnect, serveWithNodeHttp, serveWithNodeHttp2 } from './serve-with-node.ts'

describeAdapter({ name: 'node:http', serve: serveWithNodeHttp })
describeAdapter({
  name: 'node:http2',
  serve: serveWithNodeHttp2,
  lacks: { 'the end of a connection': 'HTTP/2 has no header for it' },
})
describeAdapter({ name: 'Connect', serve: serveWithConnect })
describeHttp2Adapter({ name: 'node:http2', serve: serveWithNodeHttp2 })
