import { describeAdapter } from '@oncekey/conformance'
import { serveOn } from '../serve-with-hono.ts'
import { describeCutOff, describeRefusedPart } from './cut-off.ts'
import { describeOwnResponses } from './own-responses.ts'
import { describeRawResponses } from './raw-responses.ts'
import { nodeServer1 } from './versions.ts'

const server = await nodeServer1()

describeAdapter({
  name: 'Hono 4 on @hono/node-server 1',
  serve: (site) => serveOn(server.serve, site),
})
describeRawResponses(server)
describeOwnResponses(server)
describeCutOff(server)
describeRefusedPart(server)
