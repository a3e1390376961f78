import { pipeline, Readable } from 'node:stream'
import type { Case } from './case.ts'

/** Ways to fail. */
export const failures: readonly Case[] = [
  { title: 'a 500', retries: true, handler: (_, res) => res.status(500).json({ error: 'oops' }) },
  {
    title: 'a 429',
    retries: true,
    handler: (_, res) => res.set('Retry-After', '3').sendStatus(429),
  },
  {
    title: 'a throw',
    retries: true,
    handler: () => {
      throw new Error('thrown')
    },
  },
  {
    title: 'a throw with a status',
    handler: () => {
      throw Object.assign(new Error('refused'), { status: 403, headers: { 'X-Why': 'so' } })
    },
  },
  {
    title: 'an error passed on',
    retries: true,
    handler: (_, __, next) => next(new Error('passed')),
  },
  {
    title: 'a rejection',
    only: 'Express 5',
    retries: true,
    handler: async () => {
      throw new Error('rejected')
    },
  },
  { title: 'no handler that answers', handler: (_, __, next) => next() },
  {
    title: 'a throw after headers were set',
    retries: true,
    handler: (_, res) => {
      res.status(201).set({ Location: '/1', ETag: '"1"', 'Set-Cookie': 'a=b' })
      throw new Error('late')
    },
  },
  {
    title: 'a throw after the answer',
    handler: (_, res) => {
      res.status(201).json({ id: 1 })
      throw new Error('after')
    },
  },
  {
    title: 'an error passed on after the answer',
    handler: (_, res, next) => {
      res.status(201).json({ id: 1 })
      next(new Error('after'))
    },
  },
  {
    title: 'a rejection after the answer',
    only: 'Express 5',
    handler: async (_, res) => {
      res.status(201).json({ id: 1 })
      await null
      throw new Error('after')
    },
  },
  {
    title: 'two answers',
    handler: (_, res) => {
      res.json({ n: 1 })
      res.json({ n: 2 })
    },
  },
  {
    title: 'two ends',
    handler: (_, res) => {
      res.end('1')
      res.end()
    },
  },
  {
    title: 'the response destroyed after its end',
    handler: (_, res) => {
      res.end('x')
      res.destroy()
    },
  },
  {
    title: 'an answer set up by the error handler of a route',
    handler: (_, res) => {
      res.type('text/plain')
      throw Object.assign(new Error(), { status: 409, expose: true })
    },
  },

  { title: 'the response destroyed', breaks: true, handler: (_, res) => res.destroy() },
  { title: 'the connection destroyed', breaks: true, handler: (req) => req.socket.destroy() },
  {
    title: 'a pipeline that breaks before its first byte',
    breaks: true,
    handler: (_, res) => {
      const source = new Readable({ read: () => source.destroy(new Error('broken')) })
      pipeline(source, res, () => {})
    },
  },
  {
    title: 'an invalid status',
    retries: true,
    handler: (_, res) => {
      res.statusCode = 1000
      res.end()
    },
  },
  {
    title: 'an invalid header',
    retries: true,
    handler: (_, res) => void res.writeHead(200, { 'X-Bad': 'a\nb' }),
  },
  { title: 'an invalid chunk', retries: true, handler: (_, res) => res.end(5 as never) },
  {
    title: 'an invalid status message',
    retries: true,
    handler: (_, res) => {
      res.statusMessage = 'a\nb'
      res.end()
    },
  },
]
