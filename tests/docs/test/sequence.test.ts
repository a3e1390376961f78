import { expect, test } from 'vitest'
import { drawSequence } from '../../../docs/.vitepress/sequence.ts'

test('a sequence is drawn with its columns, arrows and notes, and said in words', () => {
  const svg = drawSequence(`sequenceDiagram
    participant C as client
    C->>server: POST /payments
    Note over server: killed
    server--xC: 201`)
  expect(svg.match(/class="head"/g)).toHaveLength(2)
  expect(svg.match(/class="arrow"/g)).toHaveLength(2)
  expect(svg).toContain('client to server: POST /payments; killed; server to client: 201 (lost)')
})

test('text of a message cannot end the drawing', () => {
  expect(drawSequence('a->>b: <b> & {{ x }}')).toContain('&lt;b&gt; &amp; &#123;&#123; x }}')
})

test('a line that it does not know is an error, not left out', () => {
  expect(() => drawSequence('alt something')).toThrow('does not know how to draw "alt something"')
})
