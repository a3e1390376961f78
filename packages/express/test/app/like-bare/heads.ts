import type { Case } from './case.ts'

/** Ways to set the head. */
export const heads: readonly Case[] = [
  { title: 'writeHead', handler: (_, res) => res.writeHead(201).end('x') },
  {
    title: 'writeHead with headers',
    handler: (_, res) => res.writeHead(201, { Location: '/1', 'X-Two': ['a', 'b'] }).end('x'),
  },
  {
    title: 'writeHead with a status message',
    handler: (_, res) => res.writeHead(201, 'Made', { Location: '/1' }).end('x'),
  },
  {
    title: 'writeHead with only a status message',
    handler: (_, res) => res.writeHead(201, 'Made').end(),
  },
  {
    title: 'writeHead with raw headers',
    handler: (_, res) => {
      res.setHeader('X-One', 'before')
      res.writeHead(200, ['X-One', '1', 'X-Two', 'a'])
      res.end('x')
    },
  },
  {
    // Before version 22, Node lost all values but the last if a header had been set before.
    title: 'writeHead with raw headers, one of them twice',
    unpowered: true,
    handler: (_, res) => res.writeHead(200, ['X-Two', 'a', 'X-Two', 'b'] as never).end('x'),
  },
  {
    title: 'writeHead over headers that were set',
    handler: (_, res) =>
      res.set({ 'X-One': '1', 'X-Two': '2' }).writeHead(200, { 'x-one': '3' }).end(),
  },
  {
    title: 'writeHead and writes',
    handler: (_, res) => {
      res.writeHead(200)
      res.write('a')
      res.end('b')
    },
  },
  {
    title: 'a status message',
    handler: (_, res) => {
      res.statusMessage = 'Fine'
      res.send('x')
    },
  },
  {
    title: 'several values',
    handler: (_, res) => res.append('Link', '<1>').append('Link', '<2>').send('x'),
  },
  {
    title: 'setHeaders',
    handler: (_, res) => res.setHeaders(new Headers({ 'x-one': '1', 'x-two': '2' })).end('x'),
  },
  {
    title: 'a removed header',
    handler: (_, res) => {
      res.removeHeader('X-Powered-By')
      res.send('x')
    },
  },
  {
    title: 'flushHeaders',
    handler: (_, res) => {
      res.flushHeaders()
      res.end('x')
    },
  },
  {
    title: 'trailers',
    handler: (_, res) => {
      res.setHeader('Trailer', 'X-Sum')
      res.write('abc')
      res.addTrailers({ 'X-Sum': '3' })
      res.end()
    },
  },
  {
    title: 'trailers that were not announced',
    handler: (_, res) => {
      res.write('abc')
      res.addTrailers({ 'X-Sum': '3' })
      res.end('d')
    },
  },
  {
    title: 'early hints and a 102',
    handler: (_, res) => {
      res.writeEarlyHints({ link: '</a.css>; rel=preload' })
      res.writeProcessing()
      res.send('x')
    },
  },
  {
    title: '100 continue',
    headers: { Expect: '100-continue' },
    handler: (_, res) => res.send('x'),
  },
  {
    title: 'a transfer coding of its own',
    handler: (_, res) => {
      res.setHeader('Transfer-Encoding', 'chunked')
      res.end('abc')
    },
  },
  {
    title: 'a length of its own',
    handler: (_, res) => {
      res.setHeader('Content-Length', 3)
      res.end('abc')
    },
  },
  { title: 'Connection: close', handler: (_, res) => res.set('Connection', 'close').send('x') },
]
