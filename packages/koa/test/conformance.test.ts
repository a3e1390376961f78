import { bodyParser } from '@koa/bodyparser'
import { describeAdapter } from '@oncekey/conformance'
import Koa from 'koa'
import Koa2 from 'koa2'
import { serveWith } from './support/serve-with-koa.ts'

describeAdapter({ name: 'Koa 3', serve: serveWith(Koa) })
describeAdapter({ name: 'Koa 2', serve: serveWith(Koa2) })
describeAdapter({ name: 'Koa 3 behind @koa/bodyparser', serve: serveWith(Koa, bodyParser()) })
