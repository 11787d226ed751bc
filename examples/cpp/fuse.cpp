// Fuses two camera pictures with a model that polyfuse exported, in C++ with onnxruntime alone.
//
//   polyfuse models export onnx pyrfuse-t.road --with-colour -o model.onnx
//   g++ -O2 -std=c++17 fuse.cpp -I ONNXRUNTIME/include -L ONNXRUNTIME/lib -lonnxruntime -o fuse
//   ./fuse model.onnx thermal.pgm visible.ppm fused.ppm
//
// thermal.pgm is 8-bit grey (P5), visible.ppm 8-bit RGB (P6) of the same size. A file exported with --with-colour takes
// pixels as they lie in memory, rows of grey or RGB bytes, and gives RGB: ranges, luma and colour are in the graph.

#include <onnxruntime_cxx_api.h>

#include <array>
#include <cstdint>
#include <fstream>
#include <iostream>
#include <stdexcept>
#include <string>
#include <vector>

struct Picture {
    int64_t width = 0, height = 0, channels = 0;
    std::vector<uint8_t> pixels;
};

// The next number of a PGM or PPM header; lines that begin with # are comments.
int64_t next_number(std::istream& in) {
    in >> std::ws;
    for (std::string comment; in.peek() == '#'; in >> std::ws) std::getline(in, comment);
    int64_t number = 0;
    if (!(in >> number) || number < 1 || number > 65535) throw std::runtime_error("damaged header");
    return number;
}

Picture read_picture(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    std::string kind;
    if (!(in >> kind) || (kind != "P5" && kind != "P6")) throw std::runtime_error(path + " is no P5 or P6 file");
    Picture picture;
    picture.channels = kind == "P6" ? 3 : 1;
    picture.width = next_number(in);
    picture.height = next_number(in);
    if (next_number(in) != 255) throw std::runtime_error(path + " has not 8 bits");
    in.get();  // one blank before the pixels
    picture.pixels.resize(static_cast<size_t>(picture.width * picture.height * picture.channels));
    in.read(reinterpret_cast<char*>(picture.pixels.data()), static_cast<std::streamsize>(picture.pixels.size()));
    if (!in) throw std::runtime_error(path + " is cut off");
    return picture;
}

void write_ppm(const std::string& path, const Picture& picture) {
    std::ofstream out(path, std::ios::binary);
    out << "P6\n" << picture.width << ' ' << picture.height << "\n255\n";
    out.write(reinterpret_cast<const char*>(picture.pixels.data()), static_cast<std::streamsize>(picture.pixels.size()));
    if (!out) throw std::runtime_error(path + " cannot be written");
}

Ort::Value tensor_of(Picture& picture, const Ort::MemoryInfo& memory) {
    const std::array<int64_t, 4> shape{1, picture.height, picture.width, picture.channels};
    return Ort::Value::CreateTensor<uint8_t>(
        memory, picture.pixels.data(), picture.pixels.size(), shape.data(), shape.size());
}

int main(int count, char** words) {
    if (count != 5) {
        std::cerr << "usage: fuse MODEL.onnx THERMAL.pgm VISIBLE.ppm FUSED.ppm\n";
        return 2;
    }
    try {
        Picture a = read_picture(words[2]), b = read_picture(words[3]);
        if (a.channels != 1 || b.channels != 3) throw std::runtime_error("give a grey thermal and a colour picture");
        if (a.width != b.width || a.height != b.height) throw std::runtime_error("the pictures differ in size");

        Ort::Env env(ORT_LOGGING_LEVEL_ERROR, "polyfuse");
        Ort::Session session(env, words[1], Ort::SessionOptions{});
        const auto memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
        std::array<Ort::Value, 2> inputs{tensor_of(a, memory), tensor_of(b, memory)};
        const std::array<const char*, 2> input_names{"a", "b"};
        const char* output_name = "fused";
        // The session is kept: the first run of a size plans its memory, later ones are faster.
        auto outputs = session.Run(Ort::RunOptions{}, input_names.data(), inputs.data(), 2, &output_name, 1);

        Picture fused{b.width, b.height, 3, {}};
        const uint8_t* pixels = outputs[0].GetTensorData<uint8_t>();
        fused.pixels.assign(pixels, pixels + b.pixels.size());
        write_ppm(words[4], fused);
    } catch (const std::exception& error) {
        std::cerr << "fuse: " << error.what() << '\n';
        return 1;
    }
    return 0;
}
