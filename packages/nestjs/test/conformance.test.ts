import { describeAdapter } from '@oncekey/conformance'
import { serveWithNest } from './support/serve-with-nest.ts'

describeAdapter({ name: 'NestJS 12 on Express', serve: serveWithNest('express') })
describeAdapter({ name: 'NestJS 12 on Fastify', serve: serveWithNest('fastify') })
