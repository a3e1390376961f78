import { describeAdapter } from '@oncekey/conformance'
import Fastify from 'fastify'
import Fastify4 from 'fastify4'
import { serveWith } from './serve-with-fastify.ts'

describeAdapter({ name: 'Fastify 5', serve: serveWith(Fastify) })
describeAdapter({ name: 'Fastify 4', serve: serveWith(Fastify4) })
