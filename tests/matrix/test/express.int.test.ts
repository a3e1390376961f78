import { describeAdapter } from '@oncekey/conformance'
import express from 'express'
import { serveWith } from '../../../packages/express/test/support/serve-with-express.ts'
import { everyStore } from '../src/stores.ts'

describeAdapter({
  name: 'Express 5',
  serve: serveWith(express),
  stores: everyStore({ sample: 'Postgres, pg in lease mode' }),
})
