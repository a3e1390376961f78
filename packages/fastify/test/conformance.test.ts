import { describeAdapter } from '@oncekey/conformance'
import { serveWithFastify } from './serve-with-fastify.ts'

describeAdapter({ name: 'Fastify 5', serve: serveWithFastify })
