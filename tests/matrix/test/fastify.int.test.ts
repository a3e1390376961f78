import { describeAdapter } from '@oncekey/conformance'
import Fastify from 'fastify'
import { serveWith } from '../../../packages/fastify/test/serve-with-fastify.ts'
import { everyStore } from '../src/stores.ts'

describeAdapter({
  name: 'Fastify 5',
  serve: serveWith(Fastify),
  stores: everyStore({ sample: 'Postgres, pg' }),
})
