import { describeAdapter } from '@oncekey/conformance'
import express from 'express'
import { serveWith } from '../../../packages/express/test/support/serve-with-express.ts'
import { otherWires } from '../src/stores.ts'

describeAdapter({ name: 'Express 5', serve: serveWith(express), stores: otherWires() })
