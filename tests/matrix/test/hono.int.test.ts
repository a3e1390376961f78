import { describeAdapter } from '@oncekey/conformance'
import { serveWithHono } from '../../../packages/web/test/serve-with-hono.ts'
import { everyStore } from '../src/stores.ts'

describeAdapter({ name: 'Hono 4', serve: serveWithHono, stores: everyStore({ sample: 'PGlite' }) })
