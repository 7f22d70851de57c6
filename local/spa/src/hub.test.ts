import { expect, test } from "vitest";
import { advanced, nowhere, resumed } from "./hub";

const here = { epoch: "e1", number: 7 };

test.each([
  ["the next outcome moves it on", { epoch: "e1", number: 8 }, { epoch: "e1", number: 8 }],
  ["one seen before does not move it back", { epoch: "e1", number: 6 }, here],
  ["a new epoch counts afresh", { epoch: "e2", number: 1 }, { epoch: "e2", number: 1 }],
  ["without an epoch it stays", { epoch: "", number: 9 }, here],
  ["without a number it stays", { epoch: "e1" }, here],
])("position: %s", (_, told, expected) => {
  expect(advanced(here, told)).toEqual(expected);
});

test.each([
  ["a fresh tab starts where the hub is", nowhere, { epoch: "e1", number: 7 }, here],
  ["in the same epoch the events still come", here, { epoch: "e1", number: 9 }, here],
  ["a new epoch is adopted", here, { epoch: "e2", number: 3 }, { epoch: "e2", number: 3 }],
  ["with the registry away it stays", here, { epoch: "", number: 0 }, here],
])("resume: %s", (_, position, answer, expected) => {
  expect(resumed(position, answer)).toEqual(expected);
});
