import { describeAdapter, describeHttp2Adapter } from '@oncekey/conformance'
import Fastify from 'fastify'
import Fastify4 from 'fastify4'
import { serveOverHttp2With, serveWith } from './serve-with-fastify.ts'

describeAdapter({ name: 'Fastify 5', serve: serveWith(Fastify) })
describeAdapter({ name: 'Fastify 4', serve: serveWith(Fastify4) })

// A handler of Fastify reaches the stream through reply.raw.
describeHttp2Adapter({ name: 'Fastify 5', serve: serveOverHttp2With(Fastify) })
describeHttp2Adapter({ name: 'Fastify 4', serve: serveOverHttp2With(Fastify4) })
