import { describeAdapter } from '@oncekey/conformance'
import { serveWithHono } from './serve-with-hono.ts'

describeAdapter({ name: 'Hono 4', serve: serveWithHono })
