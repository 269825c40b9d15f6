// The search without Python: the same core, the same stub, called in a plain loop. What a caller in Python
// can reach at best.
//
//   tree_loop TREES SIMULATIONS ACTIONS ANSWERS STUB name=value ...
//
// The names are those of the settings of a search, each of which must be given. STUB is a file of float32:
// reward [R], discount [R], logits [R*ACTIONS], value [R] with R = ANSWERS + TREES; search `number` answers
// simulation k of tree b with row (7 k + number) % ANSWERS + b.
//
// Then one line in, one line out, as JSON: "visits N" gives the root visits [B][A] of search N, a number asks
// for a turn of at least so many CPU seconds. All memory of a search is reserved before the first line.
#include <ctime>
#include <fstream>
#include <iostream>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "kinds.h"
#include "search_base.h"
#include "setting_table.h"
#include "types.h"

namespace {

using namespace mcts;

struct Stub {
  int trees, actions, answers;
  std::vector<float> reward, discount, logits, value;

  int row(std::int64_t index) const { return static_cast<int>(index % answers); }
  ExpandRows answer(std::int64_t index) const {
    const int at = row(index);
    return {reward.data() + at, discount.data() + at, logits.data() + static_cast<std::size_t>(at) * actions,
            value.data() + at};
  }
};

std::vector<float> floats(std::ifstream& file, std::size_t count) {
  std::vector<float> numbers(count);
  const auto bytes = static_cast<std::streamsize>(count * sizeof(float));
  file.read(reinterpret_cast<char*>(numbers.data()), bytes);
  if (file.gcount() != bytes) throw std::runtime_error("STUB: the file is too short for this shape");
  return numbers;
}

Stub read_stub(const std::string& path, int trees, int actions, int answers) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("STUB: can't read " + path);
  const std::size_t rows = static_cast<std::size_t>(answers) + trees;
  Stub stub{trees, actions, answers, {}, {}, {}, {}};
  stub.reward = floats(file, rows);
  stub.discount = floats(file, rows);
  stub.logits = floats(file, rows * actions);
  stub.value = floats(file, rows);
  return stub;
}

// ---- a setting from its text, by its row of the table ----

std::int64_t read(const Range<std::int64_t>&, const std::string& text) { return std::stoll(text); }
double read(const Range<double>&, const std::string& text) { return std::stod(text); }
bool read(const Flag&, const std::string& text) { return text == "True"; }
template <class T, std::size_t n>
T read(const Choice<T, n>& row, const std::string& text) {
  for (const auto& option : row.options) {
    if (text == option.name) return option.value;
  }
  throw std::invalid_argument(std::string(row.name) + ": no choice is called " + text);
}

using Given = std::map<std::string, std::string>;  // name -> value

Given given_settings(int count, char** arguments) {
  Given given;
  for (int i = 0; i < count; ++i) {
    const std::string argument = arguments[i];
    const std::size_t equals = argument.find('=');
    if (equals == std::string::npos) throw std::invalid_argument("expected name=value, got " + argument);
    given[argument.substr(0, equals)] = argument.substr(equals + 1);
  }
  return given;
}

Settings settings_of(int trees, int simulations, int actions, Given given) {
  Settings settings{};
  settings.trees = trees;
  settings.actions = actions;
  settings.simulations = simulations;
  for_each_setting([&](const auto& row) {
    const auto text = given.extract(row.name);
    if (text.empty()) throw std::invalid_argument(std::string(row.name) + ": expected a value, got none");
    settings.*row.setting = read(row, text.mapped());
  });
  if (!given.empty()) throw std::invalid_argument("no setting is called " + given.begin()->first);
  return settings;
}

// The arrays that the search fills, and its inputs that no network gives.
struct Arrays {
  explicit Arrays(std::size_t b, std::size_t a)
      : legal(b * a, 1),
        seeds(b),
        tree(b),
        slot(b),
        action(b),
        visits(b * a),
        chosen(b),
        policy(b * a),
        q(b * a),
        value(b) {}

  std::vector<std::uint8_t> legal;
  std::vector<std::uint64_t> seeds;
  std::vector<std::int32_t> tree, slot, action, visits, chosen;
  std::vector<float> policy, q, value;
};

double cpu_seconds() {
  timespec now;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

// CPU seconds of one whole search; its visits lie in `arrays` then.
double run(SearchBase& search, const Stub& stub, Arrays& arrays, std::int64_t number) {
  for (int b = 0; b < stub.trees; ++b) arrays.seeds[b] = static_cast<std::uint64_t>(b + number * stub.trees);
  const std::int64_t simulations = search.settings().simulations;
  const double start = cpu_seconds();
  const ExpandRows root = stub.answer(number);
  search.reset({stub.trees, static_cast<std::int32_t>(simulations), root.logits, root.value,
                arrays.legal.data(), arrays.seeds.data()});
  const LeafRows leaves{arrays.tree.data(), arrays.slot.data(), arrays.action.data()};
  search.select(leaves);
  for (std::int64_t k = 0; k + 1 < simulations; ++k) search.advance(stub.answer(7 * k + number), leaves);
  search.expand(stub.answer(7 * (simulations - 1) + number));
  search.result({arrays.visits.data(), arrays.policy.data(), arrays.q.data(), arrays.value.data(),
                 arrays.chosen.data()});
  return cpu_seconds() - start;
}

void print_visits(const Arrays& arrays, int trees, int actions) {
  std::cout << "[";
  for (int b = 0; b < trees; ++b) {
    std::cout << (b == 0 ? "[" : ", [");
    for (int a = 0; a < actions; ++a) std::cout << (a == 0 ? "" : ", ") << arrays.visits[b * actions + a];
    std::cout << "]";
  }
  std::cout << "]" << std::endl;
}

void turn(SearchBase& search, const Stub& stub, Arrays& arrays, double seconds, std::int64_t& number) {
  double spent = 0.0;
  std::int64_t edges = 0, simulations = 0;
  while (spent < seconds) {
    spent += run(search, stub, arrays, number++);
    edges += search.edges_visited();
    simulations += search.settings().simulations * stub.trees;
  }
  std::cout << "{\"cpu_seconds\": " << spent << ", \"simulations\": " << simulations
            << ", \"edges\": " << edges << "}" << std::endl;
}

void serve(int argc, char** argv) {
  if (argc < 6) throw std::invalid_argument("expected TREES SIMULATIONS ACTIONS ANSWERS STUB name=value ...");
  const int trees = std::stoi(argv[1]), simulations = std::stoi(argv[2]), actions = std::stoi(argv[3]);
  const Stub stub = read_stub(argv[5], trees, actions, std::stoi(argv[4]));
  const Settings settings = settings_of(trees, simulations, actions, given_settings(argc - 6, argv + 6));
  const std::unique_ptr<SearchBase> search = make(settings);
  Arrays arrays(trees, actions);
  run(*search, stub, arrays, 0);
  std::cout.precision(12);
  std::cout << "{\"versions\": {}}" << std::endl;
  std::int64_t number = 1;
  for (std::string line; std::getline(std::cin, line);) {
    if (line.starts_with("visits ")) {
      run(*search, stub, arrays, std::stoll(line.substr(7)));
      print_visits(arrays, trees, actions);
    } else {
      turn(*search, stub, arrays, std::stod(line), number);
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  try {
    serve(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "tree_loop: " << error.what() << "\n";
    return 2;
  }
}
