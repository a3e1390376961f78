// The alias has no types; for these tests its API equals that of Fastify 5.
declare module 'fastify4' {
  import fastify from 'fastify'
  export default fastify
}
