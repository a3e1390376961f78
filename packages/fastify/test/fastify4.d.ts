// The alias has no types of its own name; its API is that of Fastify 5 as far as these tests go.
declare module 'fastify4' {
  import fastify from 'fastify'
  export default fastify
}
