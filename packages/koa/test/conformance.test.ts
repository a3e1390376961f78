import { bodyParser } from '@koa/bodyparser'
import { describeAdapter } from '@oncekey/conformance'
import Koa from 'koa'
import Koa2 from 'koa2'
import { test } from 'vitest'
import { serveWith } from './support/serve-with-koa.ts'

describeAdapter({ name: 'Koa 3', serve: serveWith(Koa) })
describeAdapter({ name: 'Koa 3 behind @koa/bodyparser', serve: serveWith(Koa, bodyParser()) })

// The adapter runs the same code for Koa 3 and 2, so a commit runs the whole contract on one of
// them.
if (process.env.MATRIX === 'whole') describeAdapter({ name: 'Koa 2', serve: serveWith(Koa2) })
else test.skip('Koa 2 keeps the contract: pnpm test:whole', () => {})
