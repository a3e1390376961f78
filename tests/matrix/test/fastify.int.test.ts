import { describeAdapter } from '@oncekey/conformance'
import { serveWithFastify } from '../../../packages/fastify/test/serve-with-fastify.ts'
import { everyStore } from '../src/stores.ts'

describeAdapter({ name: 'Fastify 5', serve: serveWithFastify, stores: everyStore() })
