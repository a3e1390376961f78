// The alias has no types of its own name; its API is that of Express 5 as far as these tests go.
declare module 'express4' {
  import express from 'express'
  export default express
}
