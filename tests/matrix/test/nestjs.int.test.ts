import { describeAdapter } from '@oncekey/conformance'
import { serveWithNest } from '../../../packages/nestjs/test/support/serve-with-nest.ts'
import { everyStore } from '../src/stores.ts'

describeAdapter({
  name: 'NestJS 12 on Express',
  serve: serveWithNest('express'),
  stores: everyStore({ sample: 'Postgres, pg' }),
})

describeAdapter({
  name: 'NestJS 12 on Fastify',
  serve: serveWithNest('fastify'),
  stores: everyStore({ sample: 'Postgres, pg' }),
})
