import { describeAdapter } from '@oncekey/conformance'
import { serveWithNodeHttp } from '../../../packages/node/test/serve-with-node.ts'
import { everyStore } from '../src/stores.ts'

describeAdapter({
  name: 'node:http',
  serve: serveWithNodeHttp,
  stores: everyStore({ sample: 'Redis' }),
})
