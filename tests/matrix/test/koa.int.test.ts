import { describeAdapter } from '@oncekey/conformance'
import Koa from 'koa'
import { serveWith } from '../../../packages/koa/test/support/serve-with-koa.ts'
import { everyStore } from '../src/stores.ts'

describeAdapter({
  name: 'Koa 3',
  serve: serveWith(Koa),
  stores: everyStore({ sample: 'Postgres, pg' }),
})
